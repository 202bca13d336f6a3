-- one row per customer as of :as_of
with met as (
    select
        viewed.entity_id,
        viewed.last_day,
        bought.last_day as bought_day,
        kinds.category
    from viewed_items as viewed
    left join item_totals as bought on viewed.entity_id = bought.entity_id and viewed.item_key = bought.item_key
    left join items as kinds on viewed.item_key = kinds.item_key
)

select
    entity_id,
    count(*) filter (where last_day >= :w7) as viewed_item_count_7d,
    count(*) filter (where last_day >= :w30) as viewed_item_count_30d,
    count(*) filter (where last_day >= :w90) as viewed_item_count_90d,
    count(*) as viewed_item_count_lifetime,
    count(*) filter (where bought_day is null and last_day >= :w30) as viewed_not_bought_item_count_30d,
    count(*) filter (where bought_day is not null) / cast(count(*) as double) as viewed_item_bought_share_lifetime,
    count(distinct category) filter (where last_day >= :w30) as viewed_category_count_30d
from met
group by entity_id
