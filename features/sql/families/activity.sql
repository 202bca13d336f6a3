-- one row per customer as of :as_of
select
    entity_id,
    :as_of - max(day) as days_since_last_act,
    :as_of - min(day) as days_since_first_act,
    count(*) as act_day_count_lifetime
from acts
group by entity_id
