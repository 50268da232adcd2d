"""What lies around a function: whatever it can read without being given it, and whether that has changed.

`surroundings` walks from the function's code to what it names, `places` are what is noted on the way, `arrays` compares
memory, `names` knows names that code makes at run time.
"""
