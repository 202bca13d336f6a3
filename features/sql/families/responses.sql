-- one row per customer as of :as_of
with answered as (
    select
        touches.entity_id,
        touches.day,
        touches.campaign_id,
        max(case when days.day >= touches.day and days.day < touches.day + 7 then 1 else 0 end) as bought
    from touches
    left join order_days as days on touches.entity_id = days.entity_id
    where touches.day < :w7
    group by touches.entity_id, touches.day, touches.campaign_id
)

select
    entity_id,
    sum(bought) as answered_contact_count_lifetime,
    sum(bought) / cast(count(*) as double) as answered_contact_share_lifetime
from answered
group by entity_id
