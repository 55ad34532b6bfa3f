"""What every part needs of the machine: files, progress, interrupts, threads, devices."""
