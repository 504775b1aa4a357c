"""Where the camera was: rigid tracking of a static scene, loops closed, the trajectory judged."""
