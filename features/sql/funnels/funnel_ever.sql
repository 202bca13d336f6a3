-- one row per step: who did it at any time before :as_of, after the others or not
select
    step,
    count(distinct entity_id) as users
from funnel_places
group by step
