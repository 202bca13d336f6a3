-- one row per rating, complaint or stated reason before :as_of
select
    entity_id,
    cast(day_number(local_at) as int) as day,
    local_at,
    cast(rating as decimal(18, 4)) as rating,
    case when event in ('complaint', '投诉') then 1 else 0 end as is_complaint,
    case when event in ('reason', 'leaving_reason', 'cancel_reason', '原因', '退订原因') then coalesce(feature, page) end as reason
from events
where rating is not null or event in ('complaint', '投诉', 'reason', 'leaving_reason', 'cancel_reason', '原因', '退订原因')
