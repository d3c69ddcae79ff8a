// Debian
