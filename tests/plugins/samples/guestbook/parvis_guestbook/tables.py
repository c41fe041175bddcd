from parvis.data import Table
from piccolo.columns import BigSerial, Text


class Entry(Table, tablename="guestbook_entry"):
    id = BigSerial(primary_key=True)
    text = Text()
