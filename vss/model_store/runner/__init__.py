"""A loaded model at work: pictures in, answers out, on threads of its own."""
