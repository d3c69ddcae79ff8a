// libarchive as Swift sees it: its two public headers.
#pragma once
#include <archive.h>
#include <archive_entry.h>
