-- one row per event before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    key_of(item_id) as item_key,
    key_of(session_id) as session_key,
    feature,
    page,
    case when page is not null then 1 else 0 end as has_page,
    cast(rating as decimal(18, 4)) as rating,
    cast(dwell_seconds as decimal(18, 4)) as dwell_seconds,
    case when event in ('add_to_cart', 'cart', 'basket', '加购', '加入购物车') then 1 else 0 end as is_cart,
    case when event in ('favourite', 'favorite', 'wishlist', 'like', '收藏') then 1 else 0 end as is_favourite,
    case when event in ('search', '搜索') then 1 else 0 end as is_search,
    case when hour(local_at) >= 22 or hour(local_at) < 6 then 1 else 0 end as is_night,
    case when :every_event or event in (select event from act_events) then 1 else 0 end as is_act
from events
