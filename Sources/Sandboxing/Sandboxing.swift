// Sandboxing
