from gemello.cli import main

main()
