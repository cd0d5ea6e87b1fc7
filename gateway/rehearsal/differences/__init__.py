"""What a change of policies says, in words."""
