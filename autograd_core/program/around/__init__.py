"""What lies around a function: whatever it can read without being given it, and whether that has changed.

`surroundings` walks from the function's code to what it names, `watched_places` are what is noted on the way,
`compared_arrays` compares memory, `made_up_names` knows of names that code makes at run time.
"""
