"""How much of an operation overlaps: what validation compares each with each, counted before."""

from realtime.outline import Field, Outline, Spread


def overlaps_of(outline: Outline, maximum: int) -> int:
    """Return the overlaps of a document, or some number beyond the maximum.

    Wherever fields of one name in the result are merged, these are the pairs of their
    selection sets (those of the fragments in them among them) and, for each name, the
    pairs of fields, each with itself, too. No fragment may spread itself.
    """
    overlaps = 0
    spread = {each.name for fragment in outline.fragments.values() for each in fragment.spreads}
    spread.update(each.name for operation in outline.operations for each in operation.spreads)
    unused = [outline.fragments[name] for name in outline.fragments.keys() - spread]
    open_ = [[definition.selections] for definition in (*outline.operations, *unused)]
    while open_ and overlaps <= maximum:
        merged = open_.pop()
        fields: dict[str, int] = {}
        below: dict[str, list[list[Field | Spread]]] = {}
        fragments: set[str] = set()
        for sets, selections in enumerate(merged, start=1):  # grows by the fragments
            overlaps += sets
            for selection in selections:
                if isinstance(selection, Field):
                    key = selection.key
                    fields[key] = same = fields.get(key, 0) + 1
                    overlaps += same
                    if selection.selections:
                        below.setdefault(key, []).append(selection.selections)
                elif (fragment := outline.fragments.get(selection.name)) is not None:
                    # Spread again, it is one more set, but brings nothing.
                    again = selection.name in fragments
                    merged.append([] if again else fragment.selections)
                    fragments.add(selection.name)
            if overlaps > maximum:
                break
        open_ += below.values()
    return overlaps
