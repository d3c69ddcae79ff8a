// libxxhash: XXH3 with 128 bits.
#pragma once
#include <xxhash.h>
