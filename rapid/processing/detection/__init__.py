"""Finding what stands out of the sky: squares of pixels, a matched filter, and regions cut where light has a saddle."""
