"""Reads Python files without running them: each must compile, and no name of a class or module be defined twice, the
second of which would silently win. Prints what is wrong; exit status 1 then."""
import ast
import sys

status = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for scope in [tree] + [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]:
        seen = set()
        for node in scope.body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                continue
            if node.name in seen and not node.decorator_list:
                print(f"{path}:{node.lineno}: {node.name} is defined twice")
                status = 1
            seen.add(node.name)
sys.exit(status)
