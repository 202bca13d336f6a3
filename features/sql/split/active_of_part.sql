-- one row per customer (by id) and period with an act before :as_of, of one part
select
    customers.id as entity_id,
    active.period,
    active.next_period,
    active.active_group,
    active.group_before
from active_groups as active
inner join customers on active.entity_id = customers.entity_id
