"""Plan to memory: new arrays and other libraries', whole or in part, element by element or by matrices."""
