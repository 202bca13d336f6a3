"""How models come to be and whether they may be used."""
