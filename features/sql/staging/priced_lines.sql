-- one row per line sold in the 365 days before :as_of: how deep its discount was, where and when
select
    lines.entity_id,
    lines.order_key,
    coalesce(kinds.category, '') as category,
    cast(floor((lines.day + 3) / 7) as int) as week,
    lines.amount,
    cast(lines.amount + lines.discount as decimal(18, 4)) as list_amount,
    cast(kinds.cost * lines.quantity as decimal(28, 4)) as cost,
    cast(
        rounded(cast(lines.discount as double) / cast(lines.amount + lines.discount as double), 6) as decimal(9, 6)
    ) as depth
from sale_lines as lines
left join items as kinds on lines.item_key = kinds.item_key
where lines.day >= :w365
