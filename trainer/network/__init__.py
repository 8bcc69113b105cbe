"""The embedding network: pretrained backbones, heads, the forms that tutorials give them."""
