-- one row per customer as of :as_of
select
    entity_id,
    count(*) filter (where day >= :w7) as contact_count_7d,
    count(*) filter (where day >= :w30) as contact_count_30d,
    count(*) filter (where day >= :w90) as contact_count_90d,
    count(*) as contact_count_lifetime,
    count(distinct campaign_id) filter (where day >= :w90) as campaign_count_90d,
    count(distinct campaign_id) as campaign_count_lifetime,
    count(distinct channel) as contact_channel_count_lifetime,
    :as_of - max(day) as days_since_last_contact,
    :as_of - min(day) as days_since_first_contact
from touches
group by entity_id
