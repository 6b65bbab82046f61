"""What an encoder, or a set of pictures, is worth: a measurement a file."""
