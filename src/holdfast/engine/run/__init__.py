"""What runs inside the sandbox before Node.js, and the program Node.js is given."""
