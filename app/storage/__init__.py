"""Where records, vectors and bytes lie: the protocols, and what implements them."""
