// DebianArchive
