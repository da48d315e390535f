"""What can be asked of a book, as data: it travels to whoever owns the files, and says there what it does."""

from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar, get_args

from hermes.pairing.book import Approved, Asker, Locked, PairingBook, Requested, Wrong
from hermes.pairing.codes import Fresh

Kind = Literal["approved", "pending", "limits"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a book is kept in; grants come first, so that whoever dies in between has lost nobody."""

R_co = TypeVar("R_co", covariant=True)


class Order(Generic[R_co]):
    """A step of one account's book that comes to an ``R_co``. ``touches``: what it cannot do without. ``repeatable``: given
    twice, it comes to the same as given once.
    """

    repeatable: ClassVar[bool] = True
    touches: ClassVar[tuple[Kind, ...]] = KINDS
    __slots__ = ()

    def carry_out(self, book: PairingBook, now: float) -> tuple[R_co, PairingBook]:
        """See the method of the book that it is named after."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Request(Order[Requested]):
    """A stranger writes; ``fresh`` is the code for them."""

    asker: Asker
    fresh: Fresh

    def carry_out(self, book: PairingBook, now: float) -> tuple[Requested, PairingBook]:
        """``PairingBook.request``."""
        return book.request(self.asker, now, self.fresh)


@dataclass(frozen=True, slots=True)
class Approve(Order[Approved | Wrong | Locked]):
    """The operator hands in a code."""

    repeatable: ClassVar[bool] = False
    code: str = field(repr=False)

    def carry_out(self, book: PairingBook, now: float) -> tuple[Approved | Wrong | Locked, PairingBook]:
        """``PairingBook.approve``."""
        return book.approve(self.code, now)


@dataclass(frozen=True, slots=True)
class Grant(Order[Approved]):
    """The operator lets somebody in by their id."""

    touches: ClassVar[tuple[Kind, ...]] = ("approved",)
    user_id: str
    user_name: str = ""

    def carry_out(self, book: PairingBook, now: float) -> tuple[Approved, PairingBook]:
        """``PairingBook.grant``."""
        return book.grant(self.user_id, self.user_name, now)


@dataclass(frozen=True, slots=True)
class Revoke(Order[bool]):
    """The operator shows somebody out."""

    touches: ClassVar[tuple[Kind, ...]] = ("approved",)
    user_id: str

    def carry_out(self, book: PairingBook, now: float) -> tuple[bool, PairingBook]:
        """``PairingBook.revoke``."""
        return book.revoke(self.user_id)


@dataclass(frozen=True, slots=True)
class Forget(Order[bool]):
    """Somebody is forgotten; True if they were in."""

    user_id: str

    def carry_out(self, book: PairingBook, now: float) -> tuple[bool, PairingBook]:
        """``PairingBook.forget``."""
        return book.forget(self.user_id)


@dataclass(frozen=True, slots=True)
class ClearPending(Order[int]):
    """The operator takes back every code that waits."""

    touches: ClassVar[tuple[Kind, ...]] = ("pending",)

    def carry_out(self, book: PairingBook, now: float) -> tuple[int, PairingBook]:
        """``PairingBook.clear_pending``."""
        return book.clear_pending()
