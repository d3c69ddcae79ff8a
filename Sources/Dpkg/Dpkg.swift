// Dpkg
