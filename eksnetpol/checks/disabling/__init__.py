"""What has to be gone before network policy is switched off."""
