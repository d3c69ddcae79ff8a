"""Holds a bill of materials against the published schema, by the validators in a folder: FOLDER FORM FILE."""

import sys

sys.path.insert(0, sys.argv[1])
form, name = sys.argv[2:]
if form == "cyclonedx":
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with open(name, encoding="utf-8") as file:
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    faults = [fault] if fault else []
else:
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    faults = [fault.validation_message for fault in validate_full_spdx_document(parse_file(name), "SPDX-2.3")]
for fault in faults[:20]:
    print(fault)
sys.exit(1 if faults else 0)
