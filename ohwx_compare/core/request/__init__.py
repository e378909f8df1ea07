"""What is requested of one picture and its face pass: fields, and the values they may have."""
