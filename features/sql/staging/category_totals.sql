-- one row per customer and category bought before :as_of
select
    totals.entity_id,
    kinds.category,
    min(totals.first_day) as first_day,
    max(totals.last_day) as last_day,
    cast(sum(totals.line_count) as int) as line_count,
    cast(sum(totals.amount) as decimal(18, 4)) as amount
from item_totals as totals
inner join items as kinds on totals.item_key = kinds.item_key
where kinds.category is not null
group by totals.entity_id, kinds.category
