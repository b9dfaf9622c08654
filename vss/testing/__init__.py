"""Public fakes and builders for people who test against the fleet."""
