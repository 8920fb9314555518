"""The ways of posting to everyone that are compared: each is a program of its own."""
