-- one row per customer as of :as_of
with lines as (
    select
        sold.entity_id,
        sold.day,
        gifts.is_gift
    from sale_lines as sold
    inner join gift_items as gifts on sold.item_key = key_of(gifts.item_id)
)

select
    entity_id,
    sum(case when day >= :w365 then is_gift else 0 end) as gift_line_count_365d,
    sum(is_gift) / cast(count(*) as double) as gift_line_share_lifetime,
    :as_of - max(case when is_gift = 1 then day end) as days_since_last_gift
from lines
group by entity_id
