// Booting
