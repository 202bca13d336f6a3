-- one row per customer and day with an event before :as_of
select
    entity_id,
    day,
    cast(count(*) as int) as event_count,
    cast(count(item_key) as int) as item_event_count,
    cast(sum(has_page) as int) as page_event_count,
    cast(count(rating) as int) as rating_count,
    cast(sum(rating) as decimal(18, 4)) as rating_sum,
    cast(sum(dwell_seconds) as decimal(18, 4)) as dwell_seconds,
    cast(sum(is_cart) as int) as cart_count,
    cast(sum(is_favourite) as int) as favourite_count,
    cast(sum(is_search) as int) as search_count,
    cast(sum(is_night) as int) as night_count,
    max(is_act) as has_act
from event_lines
group by entity_id, day
