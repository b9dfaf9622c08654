"""Classification: what is in a picture as a whole, as torchvision's models are used."""
