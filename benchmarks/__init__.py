"""What the speed claims rest on: `make bench`. Each figure is printed beside its limit or its peer."""
