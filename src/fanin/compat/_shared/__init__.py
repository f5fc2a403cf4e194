"""What the other systems' interfaces share."""
