// Solving
