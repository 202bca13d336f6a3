-- one row per customer and day with an event before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    count(*) as event_count,
    count(item_id) as item_event_count,
    count(page) as page_event_count,
    count(feature) as feature_use_count,
    count(rating) as rating_count,
    sum(cast(rating as decimal(18, 4))) as rating_sum,
    sum(cast(dwell_seconds as decimal(18, 4))) as dwell_seconds,
    count(case when event in ('cart', 'add_to_cart', 'basket', '加购') then 1 end) as cart_count,
    count(case when event in ('favourite', 'favorite', 'wishlist', 'like', 'collect', '收藏') then 1 end) as favourite_count,
    count(case when event in ('search', '搜索') then 1 end) as search_count,
    count(case when hour(local_at) >= 22 or hour(local_at) < 6 then 1 end) as night_count
from events
where entity_id is not null
group by entity_id, cast(day_number(local_at) as int)
