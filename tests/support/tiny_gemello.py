"""``python -m tests.support.tiny_gemello …`` is ``gemello …`` with the tiny backbone."""

from gemello import cli
from gemello.commands.tensorflow import load_tensorflow


def main() -> None:
    # Quietly, as the command does it, and before anything else loads TensorFlow.
    load_tensorflow()
    from tests.support.tiny_network import in_place_of_the_real_one

    with in_place_of_the_real_one():
        cli.main()


if __name__ == "__main__":
    main()
