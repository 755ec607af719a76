"""The entry point. It imports the command line late, because worker processes import this module too."""


def main() -> None:
    """Run the command line."""
    from consumer.cli import app

    app()


if __name__ == "__main__":
    main()
