// libcurl as Swift sees it: its variadic setters and getters as typed functions.
#pragma once
#include <curl/curl.h>
