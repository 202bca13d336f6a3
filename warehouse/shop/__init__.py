"""A made-up shop with known truth: orders, events, users, items and contacts to try everything on."""

from warehouse.shop.making import ShopReport, make_shop

__all__ = ["ShopReport", "make_shop"]
