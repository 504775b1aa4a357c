"""The picture: numpy arrays to Panda3D geometry, shaders, lights, cameras, pixels and film."""
