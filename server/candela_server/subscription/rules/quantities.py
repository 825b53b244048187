"""How much is held of a price's PER_UNIT components: what was asked for, or what follows from before."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from candela_server.catalog.price import Component, ComponentId, ComponentKind, Price
from candela_server.kernel.errors import FieldViolations


def counted_components(price: Price) -> dict[ComponentId, Component]:
    """The components of which a quantity is held, by id."""
    return {one.id: one for one in price.components if one.kind is ComponentKind.PER_UNIT}


def new_quantities(
    price: Price, asked: Mapping[ComponentId, Decimal], seats: Decimal | None
) -> dict[ComponentId, Decimal]:
    """What a new subscription holds: `seats` of every component that is not named. Raises InvalidInput."""
    with FieldViolations() as fields:
        if seats is not None and not counted_components(price):
            fields.add("seats", "must be absent: the price has no PER_UNIT component")
        fallback = dict.fromkeys(counted_components(price), seats) if seats is not None else {}
        return _checked(fields, price, asked, {k: v for k, v in fallback.items() if v is not None})


def carried_over(
    before: Price,
    held: Mapping[ComponentId, Decimal],
    after: Price,
    asked: Mapping[ComponentId, Decimal],
) -> dict[ComponentId, Decimal]:
    """What is held of another price's components: what is asked, else as much as of the same component before.

    The same is the one with that id or name, or the only one there is on both sides. What a component must have at
    least is held at least. Raises InvalidInput for what was asked.
    """
    new = counted_components(after)
    carried = {
        target: max(held[component_id], Decimal(_least(new[target])))
        for component_id, target in successors(before, after).items()
        if component_id in held
    }
    with FieldViolations() as fields:
        return _checked(fields, after, asked, carried)


def successors(before: Price, after: Price) -> dict[ComponentId, ComponentId]:
    """Which component of one price takes the place of which of another; see carried_over.

    Where both are what was made of one price by swapping components, those in the same place (SUB-6).
    """
    old, new = counted_components(before), counted_components(after)
    if before.sold_as == after.sold_as:
        places = {one.sold_as: one.id for one in new.values()}
        return {one.id: places[one.sold_as] for one in old.values() if one.sold_as in places}
    names = {one.name: one.id for one in new.values()}
    found = {}
    for component in old.values():
        if component.id in new:
            found[component.id] = component.id
        elif component.name in names:
            found[component.id] = names[component.name]
        elif len(old) == len(new) == 1:
            found[component.id] = next(iter(new))
    return found


def changed(
    price: Price, held: Mapping[ComponentId, Decimal], asked: Mapping[ComponentId, Decimal]
) -> dict[ComponentId, Decimal]:
    """What is held after some quantities change and others stay. Raises InvalidInput."""
    with FieldViolations() as fields:
        return _checked(fields, price, asked, held)


def _checked(
    fields: FieldViolations,
    price: Price,
    asked: Mapping[ComponentId, Decimal],
    otherwise: Mapping[ComponentId, Decimal],
) -> dict[ComponentId, Decimal]:
    counted = counted_components(price)
    for component_id in asked:
        if component_id not in counted:
            fields.add("quantities", f"{component_id} is no PER_UNIT component of the price")
    quantities = {}
    for component_id, component in counted.items():
        quantity = asked.get(component_id, otherwise.get(component_id))
        if quantity is None:
            quantity = Decimal(max(1, _least(component)))
        problem = _problem_with(component, quantity)
        if problem:
            fields.add("quantities" if component_id in asked else "seats", problem)
        quantities[component_id] = quantity
    return quantities


def _least(component: Component) -> int:
    return component.seats.minimum_seats if component.seats else 0


def _problem_with(component: Component, quantity: Decimal) -> str | None:
    if quantity < _least(component):
        return f"must be at least {_least(component)} for {component.name!r}, not {quantity}"
    if component.seats is not None and quantity != quantity.to_integral_value():
        return f"must be whole for {component.name!r}, not {quantity}"
    return None
