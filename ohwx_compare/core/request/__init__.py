"""What one picture is asked to be, with its face pass: fields, and the values they may have."""
